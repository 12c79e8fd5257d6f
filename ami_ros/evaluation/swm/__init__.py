"""Our model and planner in the environments of stable-worldmodel (arXiv 2605.21800), the field's own benchmark."""
