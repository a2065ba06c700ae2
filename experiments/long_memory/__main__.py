from experiments.engine.backend import run_command_line

if __name__ == "__main__":
    run_command_line("experiments.long_memory.cli")
