"""Run folders, resume, launchers and sweeps, whatever the experiment."""
