"""Run folders, resume and progress; knows nothing of any one experiment."""
