"""Runnable encoders for the leaderboard; see README.md."""
