"""How long each variant can remember: tasks whose answer depends on what came
many time steps earlier."""
