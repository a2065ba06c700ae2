"""Kent & Salem, "Performance of Three Slim Variants of The Long Short-Term
Memory (LSTM) Layer", arXiv:1901.00525: 20 Newsgroups with GloVe."""
