"""The world model: what sensors show becomes a latent, and commands make of it what comes next. No ROS.

Takes pictures (H, W, 3) uint8, scans (`core.scan.Scan`) and commands [SI units]; gives latents (latent_dim,), predicted
latents and displacements, how surprising a moment was, and how two pictures or two submaps lie to one another.

Start with
    latent_model    `Model`: encoder, predictor and heads, written once over arrays and tensors; `load_inference` reads
                    one for driving, without torch
    perception      `Perception`: sensors as a robot delivers them -> latent
    torch_model     `WorldModel`: the same by torch, which learns; what plugins derive from; `save_model`, `load_model`

Besides
    spec            what a model is made of and expects: the readable part of its folder
    layers, torch_layers, networks    layers on arrays and by torch, and the networks made of them
    by_torch        any `WorldModel`, asked by arrays
    model_files     model folders: identity, reading, writing
    fit             which model fits a robot
    surprise        how far an observation is from what was predicted
    adaptation, adapter    what is learned while driving: its weights, segments and journal; the steps, by torch
    pairs, array_pairs, picture_rays    pictures compared cell by cell: the network, and what arrays are asked
    two_views, image_alignment    the motion between two pictures by points, and pixel by pixel
    picture_scan    a scan from a picture alone
    scan_pairs, scan_odometry    submaps compared, and odometry that scans and pictures have put straight
    learning        recordings -> data sets -> models

Whoever drives imports no torch; `pyproject.toml` says which files those are.
"""
