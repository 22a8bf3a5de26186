"""Speed, against named peers, in interleaved runs."""
