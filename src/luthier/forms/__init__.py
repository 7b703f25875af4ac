"""The forms a row may have. A new one is a file and a row here; tasks name it by `Task.reads` and `Kind.forms`."""

from luthier.forms.apart_form import ApartForm
from luthier.forms.conversation_form import ConversationForm
from luthier.forms.document_form import DocumentForm
from luthier.forms.form import Form
from luthier.forms.image_form import ImageForm
from luthier.forms.masked_form import MaskedForm
from luthier.forms.pair_form import PairForm
from luthier.forms.preference_form import PreferenceForm
from luthier.forms.question_form import QuestionForm
from luthier.forms.text_form import TextForm
from luthier.forms.texts_form import TextsForm
from luthier.forms.views_form import ViewsForm
from luthier.forms.words_form import WordsForm

FORMS: dict[str, Form] = {
    form.name: form
    for form in (
        TextForm(),
        PairForm(),
        TextsForm(),
        ApartForm(),
        WordsForm(),
        QuestionForm(),
        ImageForm(),
        DocumentForm(),
        MaskedForm(),
        ViewsForm(),
        ConversationForm(),
        PreferenceForm(),
    )
}
"""By a task's `reads`."""
