"""Files of weights, wherever they are kept: their store, names, kinds and contents."""
