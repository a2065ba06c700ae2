"""Hatanaka, Teramae & Wakamiya, "Layer specificity of acquired memory duration
in multilayer LSTM networks" (NOLTA 2017): character-level text, and how long
the units of each layer remember."""
