"""Tables of the papers redone: methods x data sets x seeds, ours beside the published figures."""
