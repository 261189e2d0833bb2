package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// manifestObjects are the Services and ExternalWorkloads of manifests.
type manifestObjects struct {
	services  []*corev1.Service
	workloads []*v1beta1.ExternalWorkload
	// documents are the fields that the manifest of each object sets.
	documents map[metav1.Object]jsonObject
}

func (m *manifestObjects) workloadNames() []types.NamespacedName {
	var names []types.NamespacedName
	for _, w := range m.workloads {
		names = append(names, types.NamespacedName{Namespace: w.Namespace, Name: w.Name})
	}
	return names
}

// readManifests reads files, directories and, as "-", the standard input. It ignores
// objects of other kinds.
func readManifests(paths []string, stdin io.Reader, namespace string) (manifestObjects, error) {
	var all manifestObjects
	for _, path := range paths {
		files, err := filesOf(path)
		if err != nil {
			return all, err
		}
		for _, file := range files {
			text, err := readFile(file, stdin)
			if err != nil {
				return all, fmt.Errorf("read manifest: %w", err)
			}
			if err := all.addFile(file, text, namespace); err != nil {
				return all, err
			}
		}
	}
	if len(all.services)+len(all.workloads) == 0 {
		return all, fmt.Errorf("%s: there is no Service and no ExternalWorkload", words(paths))
	}
	return all, nil
}

func readFile(file string, stdin io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(stdin)
	}
	return os.ReadFile(file)
}

// filesOf returns the manifests of a directory, or the file itself.
func filesOf(path string) ([]string, error) {
	if path == "-" {
		return []string{path}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(file)) {
			files = append(files, file)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	return files, nil
}

// separator is the line between two documents of a file.
var separator = regexp.MustCompile(`(?m)^---([ \t].*)?$`)

// addFile adds all documents of a file. Errors name the file and the line.
func (m *manifestObjects) addFile(file string, text []byte, namespace string) error {
	begin := 0
	ends := append(separator.FindAllIndex(text, -1), []int{len(text), len(text)})
	for _, end := range ends {
		document := text[begin:end[0]]
		line := 1 + bytes.Count(text[:begin], []byte("\n"))
		begin = end[1]
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		if err := m.addDocument(document, namespace); err != nil {
			line += lineOf(err, document)
			return fmt.Errorf("%s:%d: %s", file, line, withoutLine(err))
		}
	}
	return nil
}

// yamlLine matches the line number in an error of the YAML parser.
var yamlLine = regexp.MustCompile(`(?:error converting YAML to JSON: )?yaml: line (\d+): `)

// lineOf returns the line of an error within a document, from 0: that in the parser's
// message, or the first line with text.
func lineOf(err error, document []byte) int {
	if found := yamlLine.FindStringSubmatch(err.Error()); found != nil {
		line, _ := strconv.Atoi(found[1])
		return max(line-1, 0)
	}
	text := bytes.TrimLeft(document, " \t\r\n")
	return bytes.Count(document[:len(document)-len(text)], []byte("\n"))
}

// withoutLine returns the text of an error without the line within the document.
func withoutLine(err error) string { return oneLine(yamlLine.ReplaceAllString(err.Error(), "")) }

// addDocument adds one object or list.
func (m *manifestObjects) addDocument(document []byte, namespace string) error {
	encoded, err := yaml.YAMLToJSON(document)
	if err != nil {
		return err
	}
	var kind struct {
		metav1.TypeMeta `json:",inline"`
		Items           []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(encoded, &kind); err != nil {
		return fmt.Errorf("not a Kubernetes object: %w", err)
	}
	switch {
	case kind.Kind == "" && string(bytes.TrimSpace(encoded)) == "null":
		return nil // a document of comments
	case kind.Kind == "":
		return errors.New("not a Kubernetes object: it has no kind")
	case strings.HasSuffix(kind.Kind, "List"):
		for _, item := range kind.Items {
			if err := m.addDocument(item, namespace); err != nil {
				return err
			}
		}
	case kind.Kind == "Service" && kind.APIVersion == "v1":
		service := &corev1.Service{}
		if err := decode(encoded, service); err != nil {
			return err
		}
		m.keep(service, encoded, namespace)
		m.services = append(m.services, service)
	case kind.Kind == workloadKind && strings.HasPrefix(kind.APIVersion, v1beta1.GroupName+"/"):
		workload := &v1beta1.ExternalWorkload{}
		if err := decode(encoded, workload); err != nil {
			return err
		}
		m.keep(workload, encoded, namespace)
		m.workloads = append(m.workloads, workload)
	}
	return nil
}

// decode parses an object, which must have a name.
func decode(encoded []byte, object metav1.Object) error {
	if err := json.Unmarshal(encoded, object); err != nil {
		return err
	}
	if why := object.GetAnnotations()[v1beta1.UnreadableAnnotation]; why != "" {
		return errors.New(why)
	}
	if object.GetName() == "" {
		return errors.New("metadata.name is missing")
	}
	return nil
}

// keep completes an object's metadata and keeps its document.
func (m *manifestObjects) keep(object metav1.Object, encoded []byte, namespace string) {
	if object.GetNamespace() == "" {
		object.SetNamespace(namespace)
	}
	if m.documents == nil {
		m.documents = map[metav1.Object]jsonObject{}
	}
	var document jsonObject
	_ = json.Unmarshal(encoded, &document) // it was decoded before
	m.documents[object] = document
}
