"""The worker process: started, sent commands, listened to, stopped."""
