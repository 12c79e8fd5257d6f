"""Parts of ami_ros that live in a package of their own."""
