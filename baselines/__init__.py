"""Recognisers that SignCLIP is compared with: floors and MMAction2's skeleton models.

Floors (:mod:`baselines.floors`) learn little or nothing and are fitted when they are evaluated.
Skeleton models (:mod:`baselines.skeletons`, table ``models.yaml``) are trained beforehand, one run
a fold.
"""
