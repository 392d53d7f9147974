// SPDX-License-Identifier: AGPL-3.0-or-later
// Buttons "Similar studies" on the study and series pages of Orthanc Explorer (jQuery Mobile 1.1).
(function ($) {
  'use strict';

  var ROOT = '../likeness/';
  var TITLE = 'Similar studies';
  var UNDER_WAY = { waiting: 'waiting', sending: 'being sent', open: 'being indexed',
                    queued: 'being indexed' };
  var TOLD = { failed: 'failed', 'node away': 'not reachable', unknown: 'not indexed' };
  var FIRST_WAIT_MS = 2000;
  var LONGEST_WAIT_MS = 15000;
  var shown = { study: null, series: null };  // Orthanc's identifiers of what the buttons are for

  function isShown(level) {
    var page = $.mobile.activePage;
    return page && page.attr('id') === level && document.visibilityState !== 'hidden';
  }

  function makeButton(level) {
    var button = $('<a>')
      .attr({ id: 'likeness-' + level, target: '_blank', rel: 'noopener noreferrer',
              'data-role': 'button', 'data-icon': 'search', 'data-theme': 'e' })
      .text(TITLE);
    var note = $('<p>').attr({ id: 'likeness-' + level + '-says', role: 'status' });
    var list = $('#' + level + '-delete').closest('ul');
    $('#likeness-' + level + ', #likeness-' + level + '-says').remove();
    button.insertBefore(list);
    note.insertAfter(button);
    button.buttonMarkup();
    return { link: button, note: note };
  }

  // Whatever comes from DICOM or from the node is set as text, never as markup.
  function show(button, told, says) {
    button.link.find('.ui-btn-text').text(told ? TITLE + ' (' + told + ')' : TITLE);
    button.note.text(says || '');
  }

  function watch(level, identifier, button, wait) {
    function again() {
      var still = document.body.contains(button.link[0]);
      if (still && $.mobile.pageData && $.mobile.pageData.uuid === identifier) {
        window.setTimeout(function () {
          if (isShown(level)) {
            watch(level, identifier, button, Math.min(1.5 * wait, LONGEST_WAIT_MS));
          } else {
            again();
          }
        }, wait);
      }
    }
    $.ajax({
      url: ROOT + 'state/' + level + '/' + encodeURIComponent(identifier),
      dataType: 'json',
      cache: false,
      success: function (state) {
        var told = UNDER_WAY[state.state] || TOLD[state.state];
        button.link.attr('href', ROOT + state.page);
        show(button, told, state.state in UNDER_WAY ? '' : state.says);
        if (state.state in UNDER_WAY || state.state === 'node away') {
          again();
        }
      },
      error: function (answer) {
        var detail = '';
        try {
          detail = $.parseJSON(answer.responseText).detail;
        } catch (fault) {
          detail = 'Orthanc answered ' + answer.status;
        }
        show(button, 'not available', String(detail));
      }
    });
  }

  function refresh(level) {
    var identifier = $.mobile.pageData && $.mobile.pageData.uuid;
    if (identifier && shown[level] !== identifier) {
      shown[level] = identifier;
      watch(level, identifier, makeButton(level), FIRST_WAIT_MS);
    }
  }

  $.each(['study', 'series'], function (_, level) {
    $('#' + level).live('pagebeforeshow', function () {
      shown[level] = null;
      refresh(level);
    });
  });

  // Orthanc Explorer goes from one study to another without showing the page anew, too.
  $(window).bind('hashchange', function () {
    window.setTimeout(function () {
      var level = $.mobile.activePage && $.mobile.activePage.attr('id');
      if (level in shown) {
        refresh(level);
      }
    }, 0);
  });
}(jQuery));
