"""Sequential recommendation: LSTM and BERT4Rec in PyTorch, fed by a parallel Rust data path."""
