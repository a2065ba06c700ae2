"""Settings, run folders, resume, sweeps and the rest of any experiment."""
