"""Plain functions on arrays: how good, how useful and how private synthetic windows are."""
