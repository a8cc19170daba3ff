"""The files of a site that addons change: pure functions over bytes, without Git or database.

Between tags (`sections`) the panel writes, outside of them never: `settings_file` lists the
addons, `requirements` their packages, `dockerfile` the steps of the build; `package_files` is all
below `addons/<name>/`, and what is copied once.
"""
