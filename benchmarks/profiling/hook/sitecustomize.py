"""Python loads a module of this name at every start, from a folder in PYTHONPATH."""

import profile_hook

profile_hook.start()
