"""What do lanes do for thousands of app instances: quota, isolation, waits, memory?

One module a question, each measured on a real Kafka, a real registry and `streamer run`.
"""
