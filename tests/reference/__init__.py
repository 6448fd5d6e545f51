"""Slow, obvious NumPy twins of the Rust kernels: this package is their specification."""
