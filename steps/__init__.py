"""What the sentences of the features mean. Bodies are short: what they do stands in harness."""
