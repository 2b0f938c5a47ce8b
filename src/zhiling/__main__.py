"""`python -m zhiling`: the command line."""

from zhiling.cli import main

if __name__ == "__main__":
    main()
