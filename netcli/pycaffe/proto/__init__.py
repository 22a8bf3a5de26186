"""`caffe.proto`: the package that has `caffe_pb2`."""
