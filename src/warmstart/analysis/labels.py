"""What an arm is called wherever people read it: sentences, tables, pictures, DVC, MLflow."""

_STARTS = {
    "a": "model A",
    "scratch": "B from scratch",
    "on_a": "B on A, freeze then thaw",
    "on_a_first_1": "B on A, first layer",
    "on_a_top_reinitialized": "B on A, top layer anew",
    "on_a_l2_sp": "B on A, L2-SP",
    "on_a_linear": "B on A, logistic regression",
    "on_a_knn": "B on A, nearest neighbours",
    "on_stacked": "B on stacked autoencoders",
    "on_denoising": "B on a denoising autoencoder",
    "on_rotation": "B on rotation prediction",
}


def label(arm: str, stage: str = "transfer") -> str:
    """An arm of `stage` in words: `B on A, first 3 layers`. Arms of `compare` are called what
    params.yaml calls them."""
    if stage == "compare":
        return arm
    if arm in _STARTS:
        return _STARTS[arm]
    if arm.startswith("on_a_first_"):
        return f"B on A, first {arm.removeprefix('on_a_first_')} layers"
    if arm.startswith("on_a_surgical_"):
        return f"B on A, block {arm.removeprefix('on_a_surgical_')} alone"
    if arm.startswith("on_a_"):
        return f"B on A, {arm.removeprefix('on_a_').replace('_', ' ')}"
    return arm
