"""Recordings become data sets, and data sets models. No ROS.

Takes bags (rosbag2, ROS 1), Donkeycar tubs, LeRobotDatasets and simulated worlds; gives folders of data sets, and model
folders with a card. Whatever is stopped goes on where it was when it is repeated.

Start with
    extract         `extract`: bags -> data set; `export_bags`: the way back
    dataset         `Dataset`: episodes of images, scans, odometry and commands, memory-mapped
    trainer         `Trainer` and `PRESETS`: data set -> model

Recordings
    bag_reader, bag_writer, bag_listening    bags without ROS, broken ones as far as they go
    alignment       topics of a bag -> rows, one a period, in episodes without gaps and jumps
    dataset_writer  what all kinds of recordings share when they become a data set
    tub, lerobot_import, lerobot_export, carmen    recordings of other projects
    collection      drives of a simulated robot, recorded as bags

Training
    windows         what is read of recordings, and the windows that are drawn
    objective       losses and their weighted sum
    odometry_gains  what is wrong with each run's odometry
    phases, descent the last phases on finished latents, and the descent that they share
    held_out, card  how good a model is, and what is written beside it
    parallel        several processes
    views, pair_training, range_training, scan_training    what compares pictures and scans, from simulated worlds
"""
