"""The store on a MongoDB server: standalone, replica set or sharded cluster."""
