"""MMAction2's skeleton recognisers as data: one table of models, one adapter, one training."""
