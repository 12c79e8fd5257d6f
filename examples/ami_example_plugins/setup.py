"""The entry points by which ami_ros finds what is in this package."""

from setuptools import setup

NAME = "ami_example_plugins"

setup(
    name=NAME,
    version="0.1.0",
    description="A cost and an encoder for ami_ros",
    license="Apache-2.0",
    maintainer="ami",
    maintainer_email="ami@example.com",
    packages=[NAME],
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "ami_ros.costs": [f"slow = {NAME}.slow:Slow"],
        "ami_ros.encoders": [f"even_light = {NAME}.even_light:EvenLight"],
    },
)
