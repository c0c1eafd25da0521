"""What models are asked to do: write, score, be evaluated and rated, be exported, be given out by a link."""
