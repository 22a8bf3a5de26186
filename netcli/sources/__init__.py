"""Where records come from: databases, lists of images, arrays; and the thread that reads ahead."""
