"""Tables of word vectors: the quickest models of texts, made of an encoder that has read each of its tokens once."""
