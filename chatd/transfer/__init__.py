"""Moving what is stored: from store to store, into files, and out of files of several kinds."""
