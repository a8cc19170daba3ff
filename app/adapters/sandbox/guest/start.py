"""The file that the interpreter is given: puts the panel's few modules in reach and begins."""

import sys

sys.path.insert(0, "/panel")

from app.adapters.sandbox.guest.main import main

main()
