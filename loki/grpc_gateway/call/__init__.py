"""What every call passes through: who may, how many there are, how runs and errors get back."""
