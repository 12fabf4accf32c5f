"""checkbox-cli, which keeps everything in the directory that the first argument is."""

import sys

from plainbox.impl.session.storage import WellKnownDirsHelper

WellKnownDirsHelper.base_of_everything = sys.argv.pop(1)

from checkbox_ng.launcher.checkbox_cli import main  # noqa: E402

sys.exit(main())
