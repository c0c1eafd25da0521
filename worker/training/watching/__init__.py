"""What is seen of a run beside its curves: where its time goes, what updates do to layers, which rows stand out."""
