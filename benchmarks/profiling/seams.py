"""Which functions spend what kind of processor time: module -> function -> kind."""

INSIDE = {"trace": {"epochs": "compile"}}
"""The first call of a traced program compiles it."""
STAGES = {"warmstart.runtime.pool:_do": 2}
"""What a worker is called for: the place of the folder named after its stage."""
SEAMS: dict[str, dict[str, str]] = {
    "warmstart.training.backends.tensorflow": {
        "Compiled.__init__": "trace",
        "Compiled.run": "epochs",
        "Compiled.load": "weights in and out",
        "Compiled.read": "weights in and out",
    },
    "warmstart.training.backends.jax": {
        "Compiled.__init__": "trace",
        "Compiled.run": "epochs",
        "Compiled.load": "weights in and out",
        "Compiled.read": "weights in and out",
    },
    "jax._src.stages": {"Lowered.compile": "compile"},
    "warmstart.training.shared": {"_compile": "models", "build": "models"},
    "warmstart.training.probe": {
        "Probe.look": "probes",
        "Probe._layers": "trace of probes",
        "Probe._clipping": "trace of probes",
        "Probe._inference_loss": "trace of probes",
    },
    "warmstart.training.trainer": {
        "Trainer.initial": "initial weights",
        "Trainer._orders": "batch orders",
        "Trainer.finished": "evaluation",
        "Trainer.train": "loop of epochs",
    },
    "warmstart.training.fitted": {"train": "fitted heads", "tested": "evaluation"},
    "warmstart.training.worker": {
        "evaluate": "evaluation",
        "profile": "probes",
        "export": "models saved",
        "export_encoder": "models saved",
        "export_autoencoder": "models saved",
    },
    "warmstart.runtime.pool": {"_do": "rest", "Workers.train": "handing out"},
    "warmstart.runtime.processes": {"_enter": "setting up workers"},
    "warmstart.runtime.store": {
        "Store.read": "files",
        "Store.write": "files",
        "Store.weights": "files",
        "Checkpoint.read": "files",
        "Checkpoint.write": "files",
        "begin": "files",
        "announce": "files",
        "announced": "files",
    },
    "warmstart.runtime.finished": {
        "Finished.fetch": "files",
        "Finished.keep": "files",
        "decided_by": "hashing",
    },
    "warmstart.data.task": {"Task.read": "files", "Task.write": "files"},
    "warmstart.records": {
        "read_records": "files",
        "write_records": "files",
        "write_looks": "files",
    },
    "warmstart.data.split": {"resplit": "splits"},
    "warmstart.stages.study": {"Study.undecided": "selection", "Study.wider": "selection"},
    "warmstart.stages.yardsticks": {"measured": "yardsticks"},
    "warmstart.analysis.judging": {"judge": "judging"},
    "warmstart.analysis.page": {"write_report": "report"},
    "warmstart.tracking.publish": {"Publisher.follow": "publishing"},
    "dvc.cli": {"main": "DVC"},
    "dvc_data.hashfile.hash": {"fobj_md5": "hashing"},
}
