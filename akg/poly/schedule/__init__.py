"""The configurable scheduler: dependences as cones, one integer problem per dimension, costs and constraints."""
