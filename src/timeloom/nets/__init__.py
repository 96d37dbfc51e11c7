"""Networks: tensors in, tensors out, channel-first inside; they know nothing of files or labels."""
