"""The paper, reproduced: `python -m reproduce`. Stands on `snnlib`, which knows nothing of it."""
