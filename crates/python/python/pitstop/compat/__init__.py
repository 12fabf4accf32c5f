"""Drop-ins for the session storage of PlainBox and Checkbox, `plainbox.impl.session.storage`.

| module | in the place of |
| --- | --- |
| `pitstop.compat.plainbox` | PlainBox 0.1 to 0.5 |
| `pitstop.compat.plainbox_0_6` | PlainBox 0.6 to 0.38, and Checkbox on it |
| `pitstop.compat.checkbox_ng` | Checkbox 1.10 and later |

They have the names, the layout on disk and the manners that clients rely on, and Pitstop's promises below.
docs/compatibility.md tells the differences.

An unmodified program runs on one of them after `install()`, which is for this process, or after

    python -m pitstop.compat install

which is for every Python of an environment, so that processes that a program starts have it too. There the
variable `PITSTOP_COMPAT` says which one: `plainbox`, `plainbox_0_6`, `checkbox_ng`, `off`, or, as if it were not set,
`auto`: the one that fits what is installed.
"""

from ._install import GENERATIONS, install, install_from_environment

__all__ = ["GENERATIONS", "install", "install_from_environment"]
