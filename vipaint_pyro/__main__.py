"""``python -m vipaint_pyro`` is ``vipaint``."""

from vipaint_pyro.cli.main import main

if __name__ == "__main__":
    main()
