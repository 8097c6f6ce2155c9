"""`atelier checkpoints`: what tasks can ask for, and the files of weights where they are kept."""
