"""What each step does, inside its container: policy, one file a step."""
