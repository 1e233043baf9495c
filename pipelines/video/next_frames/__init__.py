"""The frames that come next: a recurrent network watches a clip and goes on with it."""
