"""``python -m batchbook``."""

from batchbook.cli import main

if __name__ == "__main__":
    main()
