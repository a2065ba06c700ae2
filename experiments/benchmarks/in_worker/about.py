from experiments.benchmarks.in_worker.backends import own_backend
from experiments.engine.runs import provenance
from keras_slim.variants import VARIANTS


class About:
    """Describes the backend of a worker."""

    def describe(self):
        backend = own_backend()
        made_with = provenance()
        return {
            "device": made_with["device"],
            "is_gpu": backend.has_gpu(),
            "threads": backend.threads(),
            "versions": made_with["versions"],
            "commit": made_with["commit"],
        }

    def variants(self):
        return list(VARIANTS)
