"""`python -m seqrec`: the command line where its script is not on the path."""

from seqrec.cli import main

if __name__ == "__main__":
    main()
