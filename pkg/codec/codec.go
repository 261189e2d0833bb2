// Package codec decodes ExternalWorkloads from the API server's JSON with as few passes
// as possible.
//
// client-go's JSON decoder passes over every object of a watch about nine times: to
// find the end of its frame, to check and read the frame, to find its kind, and to
// check and read the object. This package takes each line as a frame, as the API server
// writes it. v1beta1.ExternalWorkload.UnmarshalJSON reads an object in the API server's
// plain form in one pass. Everything in another form is left to client-go's decoder.
package codec

import (
	"bytes"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// New wraps a serializer, which reads all other types and forms. The result is safe for
// concurrent use if the given serializer is.
func New(general runtime.NegotiatedSerializer) runtime.NegotiatedSerializer {
	return serializer{general}
}

type serializer struct{ runtime.NegotiatedSerializer }

// SupportedMediaTypes implements runtime.NegotiatedSerializer.
func (s serializer) SupportedMediaTypes() []runtime.SerializerInfo {
	// A factory returns its own list, not a copy.
	types := slices.Clone(s.NegotiatedSerializer.SupportedMediaTypes())
	for i := range types {
		if general := types[i].StreamSerializer; types[i].MediaType == runtime.ContentTypeJSON && general != nil {
			stream := *general
			stream.Serializer = eventSerializer{general.Serializer}
			stream.Framer = lineFramer{general.Framer}
			types[i].StreamSerializer = &stream
		}
	}
	return types
}

// DecoderToVersion implements runtime.NegotiatedSerializer.
func (s serializer) DecoderToVersion(decoder runtime.Decoder, version runtime.GroupVersioner) runtime.Decoder {
	return objectDecoder{s.NegotiatedSerializer.DecoderToVersion(decoder, version)}
}

// kind is the type that an objectDecoder reads itself.
var kind = schema.GroupVersion(v1beta1.GroupVersion).WithKind("ExternalWorkload")

// plainStart is the beginning of an ExternalWorkload from the API server, which sorts
// the fields of custom resources.
var plainStart = []byte(`{"apiVersion":"` + kind.GroupVersion().String() + `","kind":"` + kind.Kind + `",`)

// objectDecoder reads single ExternalWorkloads.
type objectDecoder struct{ general runtime.Decoder }

// Decode implements runtime.Decoder. Like client-go's decoders of typed clients, it
// leaves the kind of the object empty.
func (d objectDecoder) Decode(data []byte, defaults *schema.GroupVersionKind, into runtime.Object) (runtime.Object, *schema.GroupVersionKind, error) {
	if !bytes.HasPrefix(data, plainStart) {
		return d.general.Decode(data, defaults, into)
	}
	workload, ok := into.(*v1beta1.ExternalWorkload)
	switch {
	case into == nil:
		workload = &v1beta1.ExternalWorkload{}
	case !ok:
		return d.general.Decode(data, defaults, into)
	}
	if err := workload.UnmarshalJSON(data); err != nil {
		return d.general.Decode(data, defaults, into)
	}
	workload.Kind, workload.APIVersion = "", ""
	read := kind
	return workload, &read, nil
}
