"""The polyhedral model: dependences, schedules, schedule trees."""
